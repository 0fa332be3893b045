select w, sum(v::double * pow(2::double, -(last - day) / {half_life}::double)) as v
from hits where last - day <= floor(10 * {half_life}::decimal(18, 6)) group by all
