; SPDX-License-Identifier: Apache-2.0
; Captures: see context/scope.c.
(comment) @comment
(string) @string
(template_string) @string
(template_substitution) @code

(import_statement) @import
