-- Ends a lease of its holder.

give_back()
return false
