# SPDX-License-Identifier: Apache-2.0
# Writes the bytes of INPUT as the C array settings_schema_json (a string literal of this length is
# not portable C).
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
file(WRITE ${OUTPUT} "/* Made from docs/settings.schema.json by embed.cmake. */
#include \"lsp/settings_schema.h\"
const unsigned char settings_schema_json[] = {
${bytes}
};
const size_t settings_schema_bytes = sizeof settings_schema_json;
")
