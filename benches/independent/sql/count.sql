select survivor, k, count(*) as v from hits group by all
