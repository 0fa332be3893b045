-- Of each (user, survey) the newest answer; one without a user stands for itself.
with answers as (
  select h.*, s.kind || s.text as survey from hits h left join props s on s.ord = h.ord and s.name = 'survey'
  where h.last - h.day <= floor(10 * {half_life}::decimal(18, 6))
), newest as (
  select w, last, arg_max(v, ord) as v, arg_max(day, ord) as day from answers
  group by w, last, "user", survey, case when "user" is null then ord end
)
select w,
  sum(v::double * pow(2::double, -(last - day) / {half_life}::double)) / sum(pow(2::double, -(last - day) / {half_life}::double)) as v
from newest group by all
