// TestServer: an HTTP server of canned answers on loopback, for tests on a hub.
//
// Answers by path; unknown paths stay silent ("/silent"), and "/held" waits for Release().
// Each fiber of it ends with Stop(). Hub thread only.
#ifndef GROVE_SERVER_FUNCTIONS_TEST_SERVER_H_
#define GROVE_SERVER_FUNCTIONS_TEST_SERVER_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/group/fiber_pool.h"
#include "runtime/io/listener.h"
#include "runtime/sync/event.h"

namespace grove::functions {

class TestServer {
 public:
  TestServer();
  ~TestServer() { Stop(); }

  // The whole response, head and body.
  void Answer(std::string path, std::string response);
  // Ends all connections.
  void Stop();

  int port() const { return port_; }
  std::string Url(std::string_view path) const;
  // Whole requests, as they came.
  const std::vector<std::string>& requests() const { return requests_; }

  // **Park.**
  void AwaitRequests(size_t count);
  void AwaitClosed(size_t count);
  // Answers those that wait at "/held", and later ones at once.
  void Release(std::string response);

 private:
  void Accept();
  void Serve(Socket socket);
  // False at the end of the connection.
  bool ServeRequest(Socket& socket, std::string& unread);

  int port_ = 0;  // set while listener_ is made
  Listener listener_;
  FiberPool fibers_{1000};
  std::map<std::string, std::string> answers_;
  std::vector<std::string> requests_;
  size_t closed_ = 0;
  Event changed_;
  Event released_;
  bool stopped_ = false;
};

}  // namespace grove::functions

#endif  // GROVE_SERVER_FUNCTIONS_TEST_SERVER_H_
