select w, sum(v) as v from hits group by all
