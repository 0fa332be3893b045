select w, min(occurred) as v from hits group by all
