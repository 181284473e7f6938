// grove-control: gRPC, the task store and the admin port. The supervisor starts it.
#include "server/control/control_main.h"

int main(int argc, char** argv) {
  return grove::control::ControlMain(argc, argv);
}
