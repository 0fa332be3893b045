select survivor, k, max(occurred) as v from hits group by all
