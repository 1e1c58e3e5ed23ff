-- Called for every record. Gives back the wanted document; nothing leaves the record out; ctx.reject(reason) refuses it,
-- ctx.delete() deletes it. No clock, no chance, no files: the same record gives the same bytes on every machine.

local RATES = {
  EUR = decimal "0.012", USD = decimal "0.019", GBP = decimal "0.015", CHF = decimal "0.015", JPY = decimal "0.021",
}

function transform(doc, ctx)
  if doc.kind == "deleted" then return ctx.delete() end
  if doc.kind ~= "payment" then return nil end
  local money = doc.money or doc -- the second shape of an event has amount and currency in an object
  local rate = RATES[money.currency]
  if not rate then return ctx.reject("no rate for '" .. tostring(money.currency) .. "'") end
  return {
    event = doc.event,
    account = doc.account,
    currency = money.currency,
    fee = decimal.round(money.amount * rate, 2),
    received_at = doc.received_at,
  }
end
