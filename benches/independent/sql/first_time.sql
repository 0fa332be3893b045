select survivor, k, min(occurred) as v from hits group by all
