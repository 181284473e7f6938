// groved: the daemon with the built-in functions, handlers and routes.
#include "server/application.h"
#include "server/builtins.h"
#include "server/main.h"

int main(int argc, char** argv) {
  grove::Application application("groved");
  grove::RegisterBuiltins(application);
  return grove::Main(argc, argv, application);
}
