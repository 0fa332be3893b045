select w, arg_max(ord, ord) as v from hits group by all
