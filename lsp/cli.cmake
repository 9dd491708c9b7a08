# SPDX-License-Identifier: Apache-2.0
# The program's commands and the program itself: build/inlined.
module(cli
  SOURCES cli_args.c cli_models.c cli_term.c
  USES    registry PkgConfig::cjson)
add_executable(inlined main.c)
target_link_libraries(inlined PRIVATE strict cli)
install(TARGETS inlined RUNTIME DESTINATION bin)
