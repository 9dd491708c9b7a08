; SPDX-License-Identifier: Apache-2.0
; Definitions for the symbol index; captures: see context/tags.h.
(attribute (attribute_name) @key
  (quoted_attribute_value (attribute_value) @name)
  (#eq? @key "id")) @field
