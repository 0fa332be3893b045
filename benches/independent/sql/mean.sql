select w, sum(v)::double / count(*) as v from hits group by all
