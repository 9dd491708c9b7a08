; SPDX-License-Identifier: Apache-2.0
; Captures: see context/scope.c.
(comment) @comment
(quoted_attribute_value) @string
(raw_text) @code
