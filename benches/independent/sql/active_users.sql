select w, count(distinct "user") as v from hits where person and "user" is not null group by all
