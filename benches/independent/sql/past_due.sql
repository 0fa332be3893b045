-- Open invoices past their due day; a row for every account that has had an invoice at all. Of several issues of one the
-- newest with an amount counts.
with issued as (
  select i.w, i.t, i.last, e.account, e.invoice,
    arg_max(coalesce(e.due_day, e.day + {terms}), e.ord) filter (e.amount is not null) as due_day,
    max_by({{'amount': e.amount, 'currency': e.currency}}, e.ord) filter (e.amount is not null) as bill
  from windows i join members g on g.set_id = i.set_id
  join invoice_events e on e.account = g.account and e.type = 'invoice_issued' and e.occurred < i.t
  group by all
), owed as (
  select n.w, n.last, n.due_day, n.bill.currency as currency,
    case when count(*) filter (p.type = 'invoice_voided' or p.type = 'invoice_paid' and p.amount is null) > 0 then 0
    else any_value(n.bill.amount)
      - coalesce(sum(p.amount) filter (p.type = 'invoice_paid' and p.currency = n.bill.currency), 0)
      + coalesce(sum(p.amount) filter (p.type = 'credit_issued' and p.currency = n.bill.currency), 0)
    end as rest
  from issued n left join invoice_events p
    on p.account = n.account and p.invoice = n.invoice and p.occurred < n.t
    and p.type in ('invoice_voided', 'invoice_paid', 'credit_issued')
  group by n.w, n.last, n.due_day, n.account, n.invoice, n.bill.currency
)
select w,
  coalesce(max(last - due_day) filter (rest > 0 and due_day < last), 0) as oldest,
  coalesce(sum(rest) filter (rest > 0 and due_day < last and currency = '{currency}'), 0) as amount
from owed group by all
