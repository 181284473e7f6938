// FakeDns: a name server on loopback, UDP and TCP, run by two fibers of the test's hub.
//
// Knows what the test tells it, and remembers every question.
#ifndef GROVE_RUNTIME_DNS_DNS_SERVER_FIXTURE_H_
#define GROVE_RUNTIME_DNS_DNS_SERVER_FIXTURE_H_

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/hub/hub.h"
#include "runtime/io/datagram.h"
#include "runtime/io/listener.h"

namespace grove {

class FakeDns {
 public:
  enum Type : uint16_t { kA = 1, kCname = 5, kAaaa = 28 };

  FakeDns() {
    Bind();
    udp_fiber_ = *Spawn("fake dns", [this] { ServeUdp(); });
    tcp_fiber_ = *Spawn("fake dns", [this] { ServeTcp(); });
  }
  // Must be called before it dies: its fibers use it.
  void Stop() {
    for (FiberHandle* fiber : {&udp_fiber_, &tcp_fiber_}) {
      fiber->Cancel();
      (void)fiber->Join();
    }
  }

  std::string address() const { return udp_.LocalAddress().ToString(); }

  void Address(const std::string& name, const std::string& text, uint32_t ttl = 60) {
    const bool v6 = text.find(':') != text.npos;
    std::string data(v6 ? 16 : 4, '\0');
    EXPECT_EQ(inet_pton(v6 ? AF_INET6 : AF_INET, text.c_str(), data.data()), 1);
    records_[name].push_back({v6 ? kAaaa : kA, ttl, data});
  }
  void Alias(const std::string& name, const std::string& to, uint32_t ttl = 60) {
    records_[name].push_back({kCname, ttl, to});
  }
  void Forget(const std::string& name) { records_.erase(name); }

  int silent = 0;                      // questions still to be left without an answer
  bool truncates = false;              // UDP answers say: ask by TCP
  int rcode = 0;                       // of every answer, if not 0
  std::vector<std::string> questions;  // "A name", those by TCP "tcp A name"

  int Asked(const std::string& question) const {
    return static_cast<int>(std::count(questions.begin(), questions.end(), question));
  }

 private:
  struct Record {
    Type type;
    uint32_t ttl;
    std::string data;  // of an alias: the name
  };

  // TCP on the UDP port's number: chosen again if another program has it.
  void Bind() {
    const SocketAddress any = *SocketAddress::Parse("127.0.0.1:0");
    absl::StatusOr<int> tcp = absl::UnknownError("not tried");
    for (int i = 0; i < 20 && !tcp.ok(); ++i) {
      udp_ = DatagramHolder(*DatagramSocket::Bind(any));
      tcp = BindListener(udp_.LocalAddress());
    }
    listener_.push_back(*Listener::Adopt(*tcp));
  }

  void ServeUdp() {
    char buffer[512];
    for (;;) {
      absl::StatusOr<Datagram> got = udp_.socket[0].ReceiveFrom(buffer);
      if (!got.ok()) return;
      const std::string answer = Answer({buffer, got->size}, "", truncates);
      if (!answer.empty()) (void)udp_.socket[0].SendTo(answer, got->from);
    }
  }

  void ServeTcp() {
    for (;;) {
      absl::StatusOr<Socket> client = listener_[0].Accept();
      if (!client.ok()) return;
      char length[2];
      if (!client->ReadFull(length).ok()) continue;
      std::string query((static_cast<uint8_t>(length[0]) << 8) + static_cast<uint8_t>(length[1]),
                        0);
      if (!client->ReadFull({query.data(), query.size()}).ok()) continue;
      const std::string answer = Answer(query, "tcp ", false);
      (void)client->Write(Number(answer.size(), 2) + answer);
    }
  }

  static std::string Number(size_t value, int bytes) {
    std::string text;
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
      text += static_cast<char>(value >> shift);
    }
    return text;
  }
  static std::string Encode(const std::string& name) {
    std::string wire;
    for (size_t start = 0; start < name.size();) {
      const size_t end = std::min(name.find('.', start), name.size());
      wire += static_cast<char>(end - start) + name.substr(start, end - start);
      start = end + 1;
    }
    return wire + '\0';
  }

  // The answer to a query as RFC 1035 section 4 lays it out; empty: none.
  std::string Answer(std::string_view query, const std::string& by, bool truncated) {
    std::string name;
    size_t at = 12;
    while (query[at] != 0) {
      const size_t length = static_cast<uint8_t>(query[at]);
      name += (name.empty() ? "" : ".") + std::string(query.substr(at + 1, length));
      at += 1 + length;
    }
    const auto type = static_cast<Type>(static_cast<uint8_t>(query[at + 2]));
    questions.push_back(by + (type == kA ? "A " : "AAAA ") + name);
    if (silent > 0) {
      --silent;
      return "";
    }
    int count = 0;
    const int found = rcode != 0 ? rcode : (records_.contains(name) ? 0 : 3);
    std::string answers = found != 0 || truncated ? "" : Records(name, type, count);
    // Header: QR, RD (and TC); RA and the code; one question.
    std::string answer(query.substr(0, 2));
    answer += static_cast<char>(truncated ? 0x83 : 0x81);
    answer += static_cast<char>(0x80 | found);
    answer += Number(1, 2) + Number(count, 2) + Number(0, 4);
    answer += query.substr(12, at + 5 - 12);
    return answer + answers;
  }

  std::string Records(std::string name, Type type, int& count) {
    std::string wire;
    for (bool again = true; again;) {
      again = false;
      for (const Record& record : records_[name]) {
        if (record.type != type && record.type != kCname) continue;
        const std::string data = record.type == kCname ? Encode(record.data) : record.data;
        wire += Encode(name) + Number(record.type, 2) + Number(1, 2) + Number(record.ttl, 4) +
                Number(data.size(), 2) + data;
        ++count;
        if (record.type != kCname) continue;
        name = record.data;
        again = true;
        break;
      }
    }
    return wire;
  }

  // DatagramSocket has no empty state.
  struct DatagramHolder {
    DatagramHolder() = default;
    explicit DatagramHolder(DatagramSocket bound) { socket.push_back(std::move(bound)); }
    SocketAddress LocalAddress() const { return socket[0].LocalAddress(); }
    std::vector<DatagramSocket> socket;
  };

  std::map<std::string, std::vector<Record>> records_;
  DatagramHolder udp_;
  std::vector<Listener> listener_;
  FiberHandle udp_fiber_;
  FiberHandle tcp_fiber_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_DNS_DNS_SERVER_FIXTURE_H_
