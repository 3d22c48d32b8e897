# SPDX-License-Identifier: GPL-3.0-or-later
"""Brokers of messages, each with its own program in front of a page: Mosquitto and RabbitMQ."""

import examples
import harness
import rabbitmq
from harness import case, equal
from services import start_service, wait_for_port

MOSQUITTO_CONFIG = """
listener {port} 127.0.0.1
allow_anonymous true
persistence false
user nobody
"""


def mosquitto(t):
    port = harness.free_port()
    config = t.write("mosquitto.conf", MOSQUITTO_CONFIG.format(port=port))
    process = start_service(t, ["/usr/sbin/mosquitto", "-c", config], "mosquitto.log")
    wait_for_port(t, port, process, "mosquitto.log")
    return port


@case()
def mqtt(t):
    """MQTT.js publishes and receives at each QoS, by 3.1, 3.1.1 and 5, also more than 1 MiB."""
    p = examples.start(t, "mqtt.ini", backend="tcp://127.0.0.1:%d" % mosquitto(t))
    examples.run_page(t, "mqtt_page.js", examples.url(p))
    lines = p.log.wait("session.end", 6)
    equal({line["ending"] for line in lines} <= {"client_close", "backend_close"}, True, "endings")


@case(timeout=150)
def amqp_and_stomp(t):
    """amqp-client.js and stompjs, bodies empty and long. Both share one RabbitMQ: its start takes
    longer than the rest."""
    ports = rabbitmq.start(t)
    for name, page, port in (("amqp.ini", "amqp_page.js", ports[0]),
                             ("stomp.ini", "stomp_page.js", ports[1])):
        p = examples.start(t, name, backend="tcp://127.0.0.1:%d" % port)
        examples.run_page(t, page, examples.url(p))
        line = p.one_end()
        assert line["ending"] in ("client_close", "backend_close"), line
