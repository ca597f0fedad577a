// The compiled part of Boost.Asio (BOOST_ASIO_SEPARATE_COMPILATION), once for the program.
#include <boost/asio/impl/src.hpp>
