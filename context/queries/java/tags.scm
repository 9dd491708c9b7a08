; SPDX-License-Identifier: Apache-2.0
; Definitions for the symbol index; captures: see context/tags.h.
(class_declaration name: (identifier) @name) @type
(interface_declaration name: (identifier) @name) @type
(enum_declaration name: (identifier) @name) @type
(record_declaration name: (identifier) @name) @type
(annotation_type_declaration name: (identifier) @name) @type
(method_declaration name: (identifier) @name) @function
(constructor_declaration name: (identifier) @name) @function
(enum_constant name: (identifier) @name) @constant
(field_declaration declarator: (variable_declarator name: (identifier) @name)) @field
