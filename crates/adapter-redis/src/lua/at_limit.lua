#!lua flags=allow-oom
-- Called where a server at the limit of its memory has refused the usual script:
-- `Visit::is_at_limit`.
local IS_AT_LIMIT = true
