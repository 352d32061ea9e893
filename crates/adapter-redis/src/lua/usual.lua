#!lua
-- Refused before it begins where the server cannot write: each step is done whole or not at all.
local IS_AT_LIMIT = false
