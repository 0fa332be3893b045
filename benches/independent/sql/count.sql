select w, count(*) as v from hits group by all
