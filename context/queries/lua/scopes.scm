; SPDX-License-Identifier: Apache-2.0
; Captures: see context/scope.c.
(comment) @comment
(string) @string

(function_declaration body: (_) @body) @scope
(function_definition body: (_) @body) @scope
