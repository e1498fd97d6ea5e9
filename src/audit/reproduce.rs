//! Commands that show a fault without this tool: `openssl s_client`, `curl`.
