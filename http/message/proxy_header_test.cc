#include "http/message/proxy_header.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace grove::http {
namespace {

using Result = ProxyHeader::Result;
using namespace std::string_literals;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string Word(size_t number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number)};
}

// Version 2: version and command, family and transport, what follows.
std::string Binary(char command, char family, const std::string& rest) {
  return kSignature + command + family + Word(rest.size()) + rest;
}

const std::string kInet = "\xc0\x00\x02\x01\xc6\x33\x64\x01"s + Word(51724) + Word(443);

// What came out, in one line: the client, "own" or the problem; how much was used.
std::string Told(ProxyHeader& header, Result result, size_t used) {
  if (result == Result::kNeedMore) return "more after " + std::to_string(used);
  if (result == Result::kMalformed) return "malformed: " + std::string(header.problem());
  return (header.client().empty() ? "own" : header.client()) + " after " + std::to_string(used);
}

std::string Whole(const std::string& bytes) {
  ProxyHeader header;
  size_t used = 0;
  const Result result = header.Take(bytes, used);
  return Told(header, result, used);
}

std::string InTwo(const std::string& bytes, size_t split) {
  ProxyHeader header;
  size_t first = 0;
  const Result result = header.Take(std::string_view(bytes).substr(0, split), first);
  if (result != Result::kNeedMore) return Told(header, result, first);
  EXPECT_EQ(first, split);
  size_t used = 0;
  const Result last = header.Take(std::string_view(bytes).substr(split), used);
  return Told(header, last, first + used);
}

std::string ByteByByte(const std::string& bytes) {
  ProxyHeader header;
  for (size_t at = 0; at < bytes.size(); ++at) {
    size_t used = 0;
    const Result result = header.Take({&bytes[at], 1}, used);
    EXPECT_EQ(used, 1u);
    if (result != Result::kNeedMore) return Told(header, result, at + 1);
  }
  return Told(header, Result::kNeedMore, bytes.size());
}

// Whole, byte by byte and at every split, with the beginning of what follows behind it.
void ExpectTold(const std::string& header, const std::string& expected) {
  for (const std::string& tail : {""s, "\x16\x03\x01"s, "GET / HTTP/1.1\r\n\r\n"s}) {
    const std::string bytes = header + tail;
    EXPECT_EQ(Whole(bytes), expected);
    EXPECT_EQ(ByteByByte(bytes), expected);
    for (size_t split = 0; split <= bytes.size(); ++split) {
      EXPECT_EQ(InTwo(bytes, split), expected) << "at " << split;
    }
  }
}

void ExpectClient(const std::string& header, const std::string& client) {
  ExpectTold(header, client + " after " + std::to_string(header.size()));
}

TEST(ProxyHeader, TellsTheClientOfALine) {
  ExpectClient("PROXY TCP4 192.0.2.1 198.51.100.1 51724 443\r\n", "192.0.2.1:51724");
  ExpectClient("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", "0.0.0.0:0");
  ExpectClient("PROXY TCP6 2001:db8::1 ::1 51724 443\r\n", "[2001:db8::1]:51724");
  ExpectClient("PROXY TCP6 2001:DB8:0:0:0:0:0:1 ::1 1 2\r\n", "[2001:db8::1]:1");
}

TEST(ProxyHeader, ALineMaySayThatItDoesNotKnow) {
  ExpectClient("PROXY UNKNOWN\r\n", "own");
  ExpectClient("PROXY UNKNOWN ffff:f...f:ffff 65535 65535\r\n", "own");
}

TEST(ProxyHeader, ALineOf107BytesIsTakenAndALongerOneIsNot) {
  const std::string start = "PROXY UNKNOWN ";
  ExpectClient(start + std::string(107 - start.size() - 2, 'x') + "\r\n", "own");
  EXPECT_EQ(Whole(start + std::string(107 - start.size() - 1, 'x') + "\r\n"),
            "malformed: a line that is too long");
}

TEST(ProxyHeader, RefusesMalformedLines) {
  for (const std::string& line : {
           "GET / HTTP/1.1\r\n"s,
           "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n"s,
           "PROXY\r\n"s,
           "PROXY \r\n"s,
           "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n"s,
           "\n"s,
           "PROXY \n"s,
           "PROXY TCP4\r\n"s,
           "PROXY TCP4 \r\n"s,
           "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n"s,
           "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"s,
           "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"s,
           "PROXY TCP4 1.2.3.4 1.2.3.4 1 22\n"s,
           "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"s,
           "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n"s,
           "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"s,
           "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n"s,
           "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n"s,
           "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"s,
           "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n"s,
           "PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n"s,
           "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n"s,
           "PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n"s,
           "PROXY TCP4 ::1 ::1 1 2\r\n"s,
           "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n"s,
           "PROXY TCP6 [::1] ::1 1 2\r\n"s,
           "PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n"s,
           "PROXY TCP4 localhost localhost 1 2\r\n"s,
       }) {
    EXPECT_EQ(Whole(line).substr(0, 10), "malformed:") << line;
    EXPECT_EQ(ByteByByte(line), Whole(line)) << line;
  }
}

TEST(ProxyHeader, TellsTheClientOfABinaryHeader) {
  ExpectClient(Binary('\x21', '\x11', kInet), "192.0.2.1:51724");
  ExpectClient(Binary('\x21', '\x12', kInet), "192.0.2.1:51724");
  const std::string address = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01";
  ExpectClient(Binary('\x21', '\x21', address + address + Word(7) + Word(443)), "[2001:db8::1]:7");
  const std::string path = "/run/a.sock"s;
  ExpectClient(Binary('\x21', '\x31', path + std::string(216 - path.size(), '\0')),
               "unix:/run/a.sock");
}

TEST(ProxyHeader, KeepsControlCharactersOfAUnixPathOutOfTheLogs) {
  EXPECT_EQ(Whole(Binary('\x21', '\x31', "/a\nb"s + std::string(212, '\0'))), "unix: after 232");
}

TEST(ProxyHeader, ALocalOrUnspecifiedConnectionIsTheBalancersOwn) {
  ExpectClient(Binary('\x20', '\x00', ""), "own");
  ExpectClient(Binary('\x20', '\x11', kInet), "own");
  ExpectClient(Binary('\x20', '\x11', "xyz"), "own");  // its rest is ignored, whatever it is
  ExpectClient(Binary('\x21', '\x00', ""), "own");
  ExpectClient(Binary('\x21', '\x10', kInet), "own");
}

TEST(ProxyHeader, SkipsTlvs) {
  ExpectClient(Binary('\x21', '\x11', kInet + "\x01\x00\x02h2"s + "\xe0\x00\x00"s),
               "192.0.2.1:51724");
}

// The checksum of the header below, by an implementation of its own: RFC 3720's polynomial, least
// significant bit first.
std::string WithChecksum(std::string header) {
  uint32_t crc = 0xffffffff;
  for (const char c : header) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool carry = ((crc ^ (static_cast<uint8_t>(c) >> bit)) & 1) != 0;
      crc = (crc >> 1) ^ (carry ? 0x82f63b78 : 0);
    }
  }
  crc = ~crc;
  header.resize(header.size() - 4);
  return header + Word(crc >> 16) + Word(crc & 0xffff);
}

TEST(ProxyHeader, ChecksTheChecksumIfThereIsOne) {
  const std::string good = WithChecksum(Binary('\x21', '\x11', kInet + "\x03\x00\x04\0\0\0\0"s));
  ExpectClient(good, "192.0.2.1:51724");
  for (size_t at : {size_t{16}, size_t{24}, good.size() - 1}) {
    std::string changed = good;
    changed[at] ^= 0x10;
    EXPECT_EQ(Whole(changed), "malformed: a checksum that does not match") << at;
  }
}

TEST(ProxyHeader, TakesTheLongestBinaryHeaderAndNoLongerOne) {
  const size_t value = ProxyHeader::kRestBytesMax - kInet.size() - 3;
  ExpectClient(Binary('\x21', '\x11', kInet + "\xe1" + Word(value) + std::string(value, 'x')),
               "192.0.2.1:51724");
  EXPECT_EQ(Whole(kSignature + "\x21\x11" + Word(ProxyHeader::kRestBytesMax + 1)),
            "malformed: a header that is too long");
}

TEST(ProxyHeader, RefusesMalformedBinaryHeaders) {
  for (const std::string& bytes : {
           "\r\n\r\n\0\r\nQUIX"s,
           "\r\nGET / HTTP/1.1\r\n"s,
           Binary('\x11', '\x11', kInet),
           Binary('\x31', '\x11', kInet),
           Binary('\x22', '\x11', kInet),
           Binary('\x21', '\x41', kInet),
           Binary('\x21', '\x13', kInet),
           Binary('\x21', '\x11', kInet.substr(1)),
           Binary('\x21', '\x21', kInet),
           Binary('\x21', '\x31', kInet),
           Binary('\x21', '\x11', kInet + "\x01"),
           Binary('\x21', '\x11', kInet + "\x01\x00\x01"s),
           Binary('\x21', '\x11', kInet + "\x03\x00\x00"s),
           Binary('\x21', '\x11', kInet + "\x03\x00\x04\0\0\0\0"s),
       }) {
    EXPECT_EQ(Whole(bytes).substr(0, 10), "malformed:");
    EXPECT_EQ(ByteByByte(bytes), Whole(bytes));
  }
}

TEST(ProxyHeader, WantsMoreWhileItIsCutShort) {
  for (const std::string& whole :
       {"PROXY TCP4 192.0.2.1 198.51.100.1 51724 443\r\n"s, Binary('\x21', '\x11', kInet)}) {
    for (size_t length = 0; length < whole.size(); ++length) {
      EXPECT_EQ(Whole(whole.substr(0, length)), "more after " + std::to_string(length));
    }
  }
}

}  // namespace
}  // namespace grove::http
