/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Every limit of the program, each with its reason.  A queue, loop, buffer or retry that outsiders
 * can grow has its bound here and nowhere else.  Keep alphabetical within a group. */

/* --- bytes from the editor ------------------------------------------------------------------ */
#define LIMIT_CONFIG_BYTES (1u << 20)    /* a --config file                                     */
#define LIMIT_CONNECTIONS 64             /* editors on one daemon                               */
#define LIMIT_DOCUMENT_BYTES (64u << 20) /* larger files are not completed; editors choke before */
#define LIMIT_DOCUMENTS 4096             /* open at once per connection                         */
#define LIMIT_HEADER_BYTES 4096          /* one LSP frame header block; real ones have < 100    */
#define LIMIT_JSON_DEPTH 64              /* LSP and MCP nest about 12 deep                      */
#define LIMIT_JSON_VALUES 4194304u       /* of one message; a semantic-token answer has 200,000   */
#define LIMIT_LOG_FILE_BYTES (10u << 20) /* then it is moved aside: two files at most         */
#define LIMIT_MESSAGE_BYTES (96u << 20)  /* one JSON-RPC message: a whole document, escaped     */
#define LIMIT_PARSE_BYTES (2u << 20)     /* larger documents get no syntax tree: plain text     */
#define LIMIT_READ_BYTES 65536           /* one read from a stream                              */
#define LIMIT_REQUESTS_PENDING 4096      /* unanswered requests per connection                  */
#define LIMIT_REST_MS 20 /* without keys, before looking ahead takes the loop's time  */
#define LIMIT_SPECULATION_BYTES (1u << 20) /* larger documents are not copied to look ahead    */
#define LIMIT_SUGGESTION_WINDOW 4096 /* bytes left of a cursor that a cached answer depends on */
#define LIMIT_WORKSPACE_FOLDERS 256  /* roots of one connection                             */
#define LIMIT_WRITE_QUEUE_BYTES (64u << 20) /* an editor that does not read is cut off          */

/* --- git ------------------------------------------------------------------------------------ */
#define LIMIT_GIT_ARGS 32          /* of one command                                           */
#define LIMIT_GIT_BYTES (4u << 20) /* of one answer, whatever the caller asks                   */
#define LIMIT_GIT_MS 10000         /* for one answer, whatever the caller asks                  */
#define LIMIT_GIT_RUNNING 2        /* at once; the others wait: typing needs the cores          */
#define LIMIT_GIT_WAITING 256      /* a further one is refused                                  */

/* --- context -------------------------------------------------------------------------------- */
#define LIMIT_CURSOR_LINE_BYTES (8u << 10) /* a longer line is minified or data: nothing is asked */
#define LIMIT_GATE_US 20000 /* for trying whether a suggestion parses; then it is believed       */
#define LIMIT_DIFF_BYTES (256u << 10) /* of a branch's changes that are looked at                 */
#define LIMIT_DIFF_PIECES 256 /* hunks of a branch that are kept, each up to LIMIT_NOTE_BYTES     */
#define LIMIT_GLOB_STARS 32   /* stars of one pattern of an ignore file                    */
#define LIMIT_GLOB_STEPS 20000 /* for one pattern and path; then it counts as a match       */
#define LIMIT_IGNORE_BYTES (256u << 10) /* an ignore file; a larger one hides all that it rules   */
#define LIMIT_IGNORE_RULES 4096    /* of one list                                               */
#define LIMIT_INDEX_ENTRIES 400000 /* files and folders of one scan                             */
#define LIMIT_INDEX_FILE_BYTES (512u << 10) /* larger sources are generated                      */
#define LIMIT_INDEX_FILES 60000    /* of all roots; more are not indexed                        */
#define LIMIT_INDEX_JOBS 4096      /* changes that wait; above, everything is looked at again   */
#define LIMIT_INDEX_SYMBOLS 600000 /* about 100 MB                                              */
#define LIMIT_JUDGE_US 40000       /* for parsing what a model made of a document               */
#define LIMIT_NOTES 64             /* diagnostics of a document that are kept                   */
#define LIMIT_NOTE_BYTES 400       /* of one of them, or of one hunk of a branch                */
#define LIMIT_PARSE_KEY_US 5000    /* the same when a key was typed and an answer is waited for   */
#define LIMIT_PARSE_SLICE_US 20000 /* one go of the parser on the loop; the rest comes later     */
#define LIMIT_PARSE_EDITS 1024     /* edits kept while a parse is unfinished; then it restarts   */
#define LIMIT_PATH_BYTES 4096      /* of a file that is indexed                                 */
#define LIMIT_PATH_DEPTH 64        /* folders below a root; deeper files are hidden             */
#define LIMIT_PRIVACY_FOLDERS 256  /* folders whose .gitignore is kept; the oldest goes         */
#define LIMIT_RING_PIECES 16       /* places that were visited and may enter a prompt           */
#define LIMIT_STORE_VALUE_BYTES 4096 /* one text in the symbol index's file                       */
#define LIMIT_SUGGESTION_BYTES (16u << 10) /* longer answers are cut before they are judged       */
#define LIMIT_TAGS_FILE 4000          /* definitions of one file; generated ones have more       */
#define LIMIT_WINDOW_BYTES (1u << 20) /* prefix or suffix of a prompt, whatever the caller asks   */

/* --- MCP servers ----------------------------------------------------------------------------- */
#define LIMIT_MCP_ASK_MS 120000    /* for a person to answer; then it counts as dismissed      */
#define LIMIT_MCP_BACKOFF_MS 30000 /* the longest pause before a server starts again           */
#define LIMIT_MCP_AUTH_BYTES (256u << 10) /* a document or an answer of an authorization server  */
#define LIMIT_MCP_AUTH_MS 15000 /* for one such answer                                      */
#define LIMIT_MCP_CACHE_BYTES (32u << 20) /* results of look-ups                                 */
#define LIMIT_MCP_CACHE_ENTRY (1u << 20)  /* a larger result is not kept                         */
#define LIMIT_MCP_CACHE_MS 30000      /* for how long, unless configured                          */
#define LIMIT_MCP_CACHE_OPEN_MS 60000 /* the same of what is not the server's own          */
#define LIMIT_MCP_CACHE_STALE_MS 540000  /* and for so long after that, for hovers, marked    */
#define LIMIT_MCP_CACHE_MOST_MS 86400000 /* however long a server or a setting says         */
#define LIMIT_MCP_CACHE_RESULTS 1024
#define LIMIT_MCP_CALLS 16       /* running at once, over all servers                        */
#define LIMIT_MCP_CALLS_SERVER 4 /* running at once on one server, unless configured         */
#define LIMIT_MCP_CATALOGUE_S (7 * 86400) /* a catalogue on disk; each start reads it anew     */
#define LIMIT_MCP_CONFIG_BYTES (8u << 20) /* a file; Claude's own holds whole histories          */
#define LIMIT_MCP_CONFIG_VALUES 20000 /* in a file of TOML or YAML                               */
#define LIMIT_MCP_CRASHES 5           /* within LIMIT_MCP_CRASH_MS; then a person must start it   */
#define LIMIT_MCP_CRASH_MS 300000
#define LIMIT_MCP_CURSOR_BYTES 4096   /* an opaque cursor of a list                               */
#define LIMIT_MCP_DISCOVER_MS 1500    /* for server/discover; then it is an older server          */
#define LIMIT_MCP_IDLE_MS 30000       /* a call without a sign of life                            */
#define LIMIT_MCP_IDLE_STOP_MS 600000 /* an unused server is stopped                             */
#define LIMIT_MCP_LINE_BYTES (64u << 20) /* one message of a server                              */
#define LIMIT_MCP_LIST_ITEMS 10000 /* tools, resources or prompts of one server                */
#define LIMIT_MCP_LIST_MS 15000    /* one page of a list                                       */
#define LIMIT_MCP_LIST_PAGES 1000
#define LIMIT_MCP_LOGIN_MS 600000 /* for a person to log in with a browser                    */
#define LIMIT_MCP_LOGINS 3        /* attempts to get a token that a server then takes         */
#define LIMIT_MCP_FAILED_MS 2000  /* a hover does not ask again for what has just failed          */
#define LIMIT_MCP_LOOK_MS 2000    /* between looks at the program of one that has failed          */
#define LIMIT_MCP_NOTES 256       /* about configuration files                                */
#define LIMIT_MCP_OUTPUT_BYTES (32u << 10) /* text of an answer for a model: about 8,000 tokens  */
#define LIMIT_MCP_PAIRS 4096          /* variables or headers of one server                       */
#define LIMIT_MCP_PING_AFTER_MS 60000 /* of silence: then a ping goes before a call */
#define LIMIT_MCP_PING_MS 2000        /* for its answer                                          */
#define LIMIT_MCP_PROBES 3            /* of a degraded server, unanswered; then it is ended       */
#define LIMIT_MCP_PROBE_MS 2000       /* between them                                            */
#define LIMIT_MCP_QUEUE 64            /* calls that wait on one server                            */
#define LIMIT_MCP_RELIST_MS 500       /* changed lists are fetched at most this often             */
#define LIMIT_MCP_ROUNDS 8            /* of questions within one call                             */
#define LIMIT_MCP_SERVERS 64
#define LIMIT_MCP_SHOW_START_MS 4000       /* a start that takes longer is shown to people */
#define LIMIT_METRICS_SERVERS 32           /* that have numbers of their own in /metrics */
#define LIMIT_MCP_SPILL_BYTES (256u << 20) /* whole outputs kept in files */
#define LIMIT_MCP_START_MS 30000 /* spawn to handshake                                       */
#define LIMIT_MCP_START_SLOW_MS 120000 /* the same through npx, uvx, docker: they may download   */
#define LIMIT_MCP_STDERR_BYTES 16384 /* the tail that is kept                                    */
#define LIMIT_MCP_STOP_MS 2000       /* each step: end of input, SIGTERM, SIGKILL                */
#define LIMIT_MCP_TEXT_BYTES 4096    /* a description or name that we show                       */
#define LIMIT_MCP_TIMEOUTS 3         /* in a row; then a server is degraded                      */
#define LIMIT_MCP_TOTAL_MS 600000    /* a call, whatever signs of life there are                 */
#define LIMIT_MCP_UNREAD_MS 5000     /* it reads nothing of what it is sent: degraded            */
#define LIMIT_MCP_WRITE_BYTES (4u << 20) /* waiting for a server that does not read              */

/* --- Redis as a cache that daemons share ------------------------------------------------------ */
#define LIMIT_REDIS_CONNECT_MS 2000 /* to connect, and for each answer that is not a value      */
#define LIMIT_REDIS_FULL_MS 60000   /* nothing is kept after it said that it is full            */
#define LIMIT_REDIS_GET_MS 5        /* a value; later it is a miss                              */
#define LIMIT_REDIS_LATE 3          /* late values within ten seconds end the connection        */
#define LIMIT_REDIS_PAUSE_MS 30000  /* the longest pause before the next connection             */
#define LIMIT_REDIS_PENDING 256     /* commands without a reply                                 */
#define LIMIT_REDIS_REPLY_BYTES (4u << 20)
#define LIMIT_REDIS_VALUE_BYTES (256u << 10) /* a larger result stays with us                   */
#define LIMIT_REDIS_WRITE_BYTES (4u << 20)  /* waiting for a server that does not read            */
#define LIMIT_OWN_ARGUMENT_BYTES (1u << 20) /* one text that a tool of ours is given             */
#define LIMIT_OWN_ASKS 8                    /* questions of a command at once */
#define LIMIT_OWN_BODY_BYTES (8u << 20)     /* one message over HTTP */
#define LIMIT_OWN_CALLS 64       /* of our own tools, running at once                        */
#define LIMIT_OWN_CONNECTIONS 64 /* over HTTP */
#define LIMIT_OWN_CONTENT_BYTES (16u << 20) /* of the blocks that a command makes */
#define LIMIT_OWN_ENTRIES 10000 /* of one folder that is listed or searched                 */
#define LIMIT_OWN_FILES 20000   /* looked into by one search                                */
#define LIMIT_OWN_HTTP_MS 60000 /* for a whole request to come in, however slowly */
#define LIMIT_OWN_LINE_BYTES (8u << 20)   /* one message of a command: an image has some 100 kB */
#define LIMIT_OWN_MEMORY_BYTES (4u << 20) /* the memory's file                                   */
#define LIMIT_OWN_OUTPUT_BYTES (1u << 20) /* kept of what a command prints                       */
#define LIMIT_OWN_PARKED 32               /* calls that wait for an answer that nobody may bring */
#define LIMIT_OWN_READ_BYTES (1u << 20) /* read of one file; larger ones are not searched        */
#define LIMIT_OWN_SESSIONS 64           /* hosts over HTTP that are remembered; the oldest goes */
#define LIMIT_OWN_STREAM_BYTES (32u << 20) /* for a host that does not read; then it is cut off */
#define LIMIT_OWN_SUBSCRIPTIONS 64         /* of one host */
#define LIMIT_OWN_TIMEOUT_DEFAULT_MS 30000
#define LIMIT_OWN_TIMEOUT_MS 600000 /* the most that a project may give a command               */
#define LIMIT_OWN_TOOLS 256         /* and as many prompts, resources and templates */
#define LIMIT_OWN_URI_BYTES 2048    /* of a resource */
#define LIMIT_OWN_WORDS 1024        /* of one command                                           */

/* --- work with tools ------------------------------------------------------------------------- */
#define LIMIT_AGENT_ANSWER_BYTES (1u << 20) /* of all rounds together */
#define LIMIT_AGENT_MS 120000 /* one piece of work, with all its calls                     */
#define LIMIT_AGENT_RESULT_BYTES (32u << 10) /* of one tool, for the model                        */
#define LIMIT_AGENT_ROUNDS 6       /* calls of tools within one piece of work                   */
#define LIMIT_AGENT_TOOLS 512      /* offered to one model                                      */
#define LIMIT_AGENTS 32            /* at work at once                                           */
#define LIMIT_LOOKUPS_KEPT 256     /* of one connection, for a person to read                  */
#define LIMIT_LOOKUPS_WORK 128     /* of one piece of work: two for each piece of a review     */
#define LIMIT_LOOKUPS_MS 3000      /* those that are made together; who is later is left out     */
#define LIMIT_LOOKUPS_WORK_MS 6000 /* all of them together; then the model is asked without    */

/* --- model files ------------------------------------------------------------------------------ */
#define LIMIT_GGUF_ALIGNMENT 1048576u /* real files use 32                                      */
#define LIMIT_GGUF_ARRAY 8388608u     /* elements; the largest real one has 514,906 merges        */
#define LIMIT_GGUF_KEYS 65536u        /* metadata pairs; real files have under 200                */
#define LIMIT_GGUF_NAME_BYTES 65535u
#define LIMIT_GGUF_SPLITS 1024u
#define LIMIT_GGUF_STRING_BYTES (64u << 20) /* chat templates and token texts are far below     */
#define LIMIT_GGUF_TENSORS 65536u   /* the largest real file has about 2,000                    */
#define LIMIT_MODEL_EXPERTS 1024    /* of a mixture; real ones have up to 384                    */
#define LIMIT_MODEL_EXPERTS_USED 64 /* for one token; real ones take up to 10                   */
#define LIMIT_MODEL_LAYERS 512
#define LIMIT_MODEL_VOCAB 1048576

/* --- chat templates ------------------------------------------------------------------------- */
#define LIMIT_CHAT_DEPTH 128 /* nesting of a template, of its values and of its macros    */
#define LIMIT_CHAT_MEMORY (64u << 20) /* values made while one is rendered                       */
#define LIMIT_CHAT_OUTPUT_BYTES (16u << 20)
#define LIMIT_CHAT_STEPS 5000000 /* nodes visited; a long conversation takes some 100,000     */
#define LIMIT_CHAT_TEMPLATE_BYTES (1u << 20) /* the largest published ones have about 20 kB      */

/* --- engine -------------------------------------------------------------------------------- */
#define LIMIT_CHAT_MESSAGES_BYTES (8u << 20) /* all texts of one conversation                   */
#define LIMIT_ENGINE_ENDING 1024 /* cancelled jobs whose end was not delivered yet            */
#define LIMIT_ENGINE_JOBS 64     /* queued and running; a further one is refused              */
#define LIMIT_ENGINE_MODELS 8    /* resident at once                                          */
#define LIMIT_ENGINE_SEQUENCES 8 /* KV sequences per model                                    */
#define LIMIT_GENERATE_TOKENS 32768
#define LIMIT_GRAMMAR_DEPTH 64    /* of a stack: JSON nests about 12 deep, three frames each */
#define LIMIT_GRAMMAR_NODES 65536 /* of one grammar; that of a tool with 50 arguments has 2,000 */
#define LIMIT_GRAMMAR_STACKS 48   /* readings of a text at once; a JSON string has ten */
#define LIMIT_LOGPROBS 64         /* alternatives reported per position                        */
#define LIMIT_PROMPT_TOKENS 131072
#define LIMIT_STOP_STRINGS 16
#define LIMIT_THREADS 64
#define LIMIT_TRIGGER_BYTES 64 /* "<tool_call>" has 11 */

/* --- tiers --------------------------------------------------------------------------------- */
#define LIMIT_TIER_NAMES 64 /* of models that settings named, right or wrong             */

/* --- actions --------------------------------------------------------------------------------- */
#define LIMIT_ACTION_BYTES (64u << 10) /* code that one action may be about                       */
#define LIMIT_ACTION_DIAGNOSTICS 8 /* that a menu offers to fix                                   */
#define LIMIT_ANSWER_BYTES (96u << 10) /* a model's answer in words; longer ones are stopped      */
#define LIMIT_FINDINGS 200     /* of reviews, that a document keeps                           */
#define LIMIT_HOVER_NOTES 256  /* explanations that are kept; the oldest goes                 */
#define LIMIT_PAGES 16         /* explanations that can be read again; the oldest goes        */
#define LIMIT_REVIEW_PIECES 64 /* functions that one review looks at                          */
#define LIMIT_WORKS 8          /* tasks of one connection that run at once                    */

/* --- loop ------------------------------------------------------------------------------------ */
#define LIMIT_LOOP_CALLBACK_MS 50 /* a debug build reports callbacks that take longer          */

/* --- model registry -------------------------------------------------------------------------- */
#define LIMIT_FETCH_OUTPUT_BYTES 65536 /* what pip says; only its end is looked at            */
#define LIMIT_FETCH_TRIES 5        /* in a row, without a new byte; then the pull gives up        */
#define LIMIT_FETCH_WAIT_S 300     /* a server that asks for more patience is told to people      */
#define LIMIT_HTTP_FIELD_BYTES 96  /* header fields that are kept; a SHA-256 has 64       */
#define LIMIT_HTTP_REDIRECTS 8     /* the hub needs one or two                            */
#define LIMIT_HTTP_URL_BYTES 8192u /* signed addresses of storage servers have about 1500 */
#define LIMIT_REGISTRY_BYTES (1u << 20) /* models.json; ours has 20 kB                         */
#define LIMIT_REGISTRY_MODELS 256
#define LIMIT_REGISTRY_NAME_BYTES 120 /* names, files, packages: parts of paths              */
#define LIMIT_REGISTRY_SOURCES 8      /* per model                                           */
#define LIMIT_REGISTRY_TEXT_BYTES 400
