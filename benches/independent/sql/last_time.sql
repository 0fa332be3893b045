select w, max(occurred) as v from hits group by all
