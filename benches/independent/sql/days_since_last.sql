select w, min(last - day) as v from hits group by all
