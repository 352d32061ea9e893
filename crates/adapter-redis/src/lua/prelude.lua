#!lua
-- Head of the usual form. A server that cannot write refuses it before it begins, so that each step
-- is done completely or not at all.
local IS_AT_LIMIT = false
