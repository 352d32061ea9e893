-- Ends a lease of its holder.

release_lease()
return false
