-- Called for every record. Gives back the wanted document; nothing leaves the record out; ctx.reject(reason) refuses it,
-- ctx.delete() deletes it. No clock, no chance, no files: the same record gives the same bytes on every machine.

function transform(doc, ctx)
  if not doc.active then return nil end -- customers who have left are not put back
  return doc
end
