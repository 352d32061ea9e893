#!lua flags=allow-oom
-- Head of the second form of a script, called if a server at the limit of its memory has refused
-- the usual form: `Visit::is_at_limit`.
local IS_AT_LIMIT = true
