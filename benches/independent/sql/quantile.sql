-- h = (n-1)q, x[floor h] + (h - floor h)(x[floor h + 1] - x[floor h])
with sorted as (select w, list(v order by v) as x, (count(*) - 1) * {q}::double as h from hits group by all)
select w,
  x[floor(h)::int + 1]::double
  + (h - floor(h)) * (x[least(floor(h)::int + 2, len(x))] - x[floor(h)::int + 1])::double as v
from sorted
