# Grove::runtime, Grove::http, Grove::server, Grove::client and Grove::testing, each with all that it
# needs:
#
#   find_package(Grove REQUIRED)
#   target_link_libraries(hello PRIVATE Grove::server)
#
# The prefix is where this file lies, so that an installed tree can be moved.
get_filename_component(_grove_lib "${CMAKE_CURRENT_LIST_DIR}/../.." REALPATH)
get_filename_component(_grove_prefix "${CMAKE_CURRENT_LIST_DIR}/@UP@" REALPATH)

@TARGETS@
set(Grove_PREFIX "${_grove_prefix}")
unset(_grove_lib)
unset(_grove_prefix)
foreach(_grove_part IN LISTS Grove_FIND_COMPONENTS)
  if(NOT TARGET Grove::${_grove_part} AND Grove_FIND_REQUIRED_${_grove_part})
    set(Grove_FOUND FALSE)
    set(Grove_NOT_FOUND_MESSAGE "Grove has no component ${_grove_part}: runtime, http, server, client, testing")
  endif()
endforeach()
unset(_grove_part)
