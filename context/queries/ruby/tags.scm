; SPDX-License-Identifier: Apache-2.0
; Definitions for the symbol index; captures: see context/tags.h.
(method name: (_) @name) @function
(singleton_method name: (_) @name) @function
(class name: (constant) @name) @type
(class name: (scope_resolution name: (constant) @name)) @type
(module name: (constant) @name) @type
(assignment left: (constant) @name) @constant
