select h.w, count(distinct f.text) as v
from hits h join props f on f.ord = h.ord and f.name = 'feature'
where {core} group by all
