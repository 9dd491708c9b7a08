# SPDX-License-Identifier: Apache-2.0
# Writes the bytes of INPUT as a C array (a string literal of this length is not portable C).
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
string(REPEAT "." 80 line)
string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "/* Made from engine/models/models.json by embed.cmake. */
#include \"engine/registry/catalog.h\"
const unsigned char models_json[] = {
${bytes}
};
const size_t models_json_bytes = sizeof models_json;
")
