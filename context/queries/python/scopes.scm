; SPDX-License-Identifier: Apache-2.0
; Captures: see context/scope.c.
(comment) @comment
(string) @string
(interpolation) @code

(import_statement) @import
(import_from_statement) @import
(future_import_statement) @import
