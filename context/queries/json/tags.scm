; SPDX-License-Identifier: Apache-2.0
; Definitions for the symbol index; captures: see context/tags.h.
(document (object (pair key: (string (string_content) @name)) @field))
