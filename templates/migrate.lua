-- Called for every record. Gives back the wanted document; nothing leaves the record out; ctx.reject(reason) refuses it,
-- ctx.delete() deletes it. No clock, no chance, no files: the same record gives the same bytes on every machine.

function transform(doc, ctx)
  local address = doc.address
  doc.street = address.street
  doc.zip = address.zip
  doc.city = address.city
  doc.address = nil
  return doc
end
