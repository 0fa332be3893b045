select w, count(distinct day) as v from hits where person group by all
