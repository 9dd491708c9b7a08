# SPDX-License-Identifier: Apache-2.0
# Writes the bytes of INPUT as the C array NAME_json, which HEADER declares (a string literal of this
# length is not portable C).
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
file(WRITE ${OUTPUT} "/* Made from ${INPUT} by embed.cmake. */
#include \"${HEADER}\"
const unsigned char ${NAME}_json[] = {
${bytes}
};
const size_t ${NAME}_bytes = sizeof ${NAME}_json;
")
