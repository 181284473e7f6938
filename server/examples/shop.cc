// shop: an application with settings, metrics, hooks and middleware of its own.
//
//   cat > shop.yaml <<END
//   application: {currency: EUR, payment: {key: "${file:payment.key}"}}
//   http:
//     middleware:
//       - own: {name: stamp, options: {field: X-Shop, value: north}}
//     routes:
//       - {method: POST, path: "/orders/{kind}", function: order}
//       - {path: /journal, function: journal}
//   END
//   shop --config=shop.yaml &
//   curl -i -d 3 http://127.0.0.1:8090/orders/book
//   curl http://127.0.0.1:8092/metrics | grep shop_
#include "server/examples/shop_application.h"
#include "server/main.h"

int main(int argc, char** argv) {
  grove::Application application("shop");
  grove::examples::Shop shop(application);
  return grove::Main(argc, argv, application);
}
