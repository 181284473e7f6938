// The program of the application that docs/testing_applications.md tests.
#include "server/examples/billing.h"
#include "server/main.h"

int main(int argc, char** argv) {
  grove::Application application("billing");
  grove::examples::Billing billing(application);
  return grove::Main(argc, argv, application);
}
