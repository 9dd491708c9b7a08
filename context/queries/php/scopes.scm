; SPDX-License-Identifier: Apache-2.0
; Captures: see context/scope.c.
(comment) @comment
(string) @string
(encapsed_string) @string
(heredoc) @string
(text) @string

(namespace_use_declaration) @import
