; SPDX-License-Identifier: Apache-2.0
; Captures: see context/scope.c.
(comment) @comment
(string_value) @string

(import_statement) @import
