select survivor, k, sum(v) as v from hits group by all
