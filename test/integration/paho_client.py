"""What paho.test.ts asks of paho-mqtt 1.6: one scenario per run, its findings as one JSON line.

Usage: paho_client.py SCENARIO PORT VERSION, where VERSION is 31, 311 or 5.
"""

import json
import queue
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

WAIT = 10
PORT = int(sys.argv[2])
VERSION = sys.argv[3]
PROTOCOL = {"31": mqtt.MQTTv31, "311": mqtt.MQTTv311, "5": mqtt.MQTTv5}[VERSION]
V5 = VERSION == "5"


class Client:
    """A connected client; everything that happens to it lands in queues."""

    def __init__(self, name, persistent=False, will=None):
        self.messages = queue.Queue()
        self._done = queue.Queue()
        clean = {} if V5 else {"clean_session": not persistent}
        self.mqtt = mqtt.Client(f"paho-{VERSION}-{name}", protocol=PROTOCOL, **clean)
        self.mqtt.on_connect = lambda *args: self._done.put(args[2:4])
        self.mqtt.on_subscribe = lambda *args: self._done.put(args[3])
        self.mqtt.on_message = lambda client, userdata, message: self.messages.put(message)
        if will:
            self.mqtt.will_set(*will)
        options = {}
        if V5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 60 if persistent else 0
            options = {"clean_start": not persistent, "properties": properties}
        self.mqtt.connect("127.0.0.1", PORT, **options)
        self.mqtt.loop_start()
        flags, code = self._done.get(timeout=WAIT)
        assert code == 0, f"CONNACK {code}"
        self.session_present = bool(flags["session present"])

    def subscribe(self, topic, qos):
        self.mqtt.subscribe(topic, qos)
        return [int(str(code)) if not V5 else code.value for code in self._done.get(timeout=WAIT)]

    def publish(self, *args, **options):
        self.mqtt.publish(*args, **options).wait_for_publish(WAIT)

    def take(self, count):
        return [self.messages.get(timeout=WAIT) for _ in range(count)]

    def texts(self, count):
        return [message.payload.decode() for message in self.take(count)]

    def close(self):
        self.mqtt.disconnect()
        self.mqtt.loop_stop()

    def lose(self):
        """Breaks the connection without DISCONNECT."""
        self.mqtt.loop_stop()
        self.mqtt.socket().close()


def exchange():
    """A hundred messages at each QoS, binary ones among them."""
    found = {}
    for qos in (0, 1, 2):
        topic = f"paho/{VERSION}/{qos}"
        subscriber, publisher = Client("sub"), Client("pub")
        granted = subscriber.subscribe(topic, qos)
        payloads = [bytes([i, 0, 255]) * (i * 50) for i in range(100)]
        for payload in payloads:
            publisher.publish(topic, payload, qos)
        messages = subscriber.take(len(payloads))
        found[qos] = {
            "granted": granted,
            "same": [message.payload for message in messages] == payloads,
            "qos": sorted({message.qos for message in messages}),
        }
        subscriber.close()
        publisher.close()
    return found


def retained():
    topic = f"paho/retained/{VERSION}"
    publisher = Client("pub")
    found = []
    for payload in ("one", "two", ""):
        publisher.publish(topic, payload, 1, True)
        subscriber = Client("sub")
        subscriber.subscribe(f"{topic}/#", 1)
        publisher.publish(f"{topic}/end", "end", 1)
        texts = []
        while not texts or texts[-1][1] != "end":
            message = subscriber.take(1)[0]
            texts.append([message.retain, message.payload.decode()])
        found.append(texts)
        subscriber.close()
    publisher.close()
    return found


def will():
    topic = f"paho/will/{VERSION}"
    watcher = Client("watcher")
    watcher.subscribe(topic, 1)
    Client("polite", will=(topic, "never", 1)).close()
    Client("victim", will=(topic, "lost", 1)).lose()
    found = watcher.texts(1)
    watcher.close()
    return found


def session():
    topic = f"paho/session/{VERSION}"
    found = []
    for qos in (1, 2):
        first = Client(f"session{qos}", persistent=True)
        first.subscribe(topic, 2)
        first.close()
        publisher = Client("pub")
        for text in ("one", "two", "three"):
            publisher.publish(topic, text, qos)
        publisher.close()
        second = Client(f"session{qos}", persistent=True)
        found.append([second.session_present, *second.texts(3)])
        second.close()
        topic += "/next"
    return found


def shared():
    members = [Client("first"), Client("second")]
    arrived = queue.Queue()
    for member in members:
        member.mqtt.on_message = lambda client, userdata, message: arrived.put((client, message))
        member.subscribe(f"$share/g/paho/shared/{VERSION}", 1)
    publisher = Client("pub")
    for i in range(40):
        publisher.publish(f"paho/shared/{VERSION}", str(i), 1)
    seen = [arrived.get(timeout=WAIT) for _ in range(40)]
    for client in (*members, publisher):
        client.close()
    return {
        "all": sorted(int(message.payload) for _, message in seen) == list(range(40)),
        "idle": len({client for client, _ in seen}) < len(members),
    }


def properties():
    subscriber, publisher = Client("sub"), Client("pub")
    options = SubscribeOptions(qos=1, noLocal=True, retainAsPublished=True)
    subscribe = Properties(PacketTypes.SUBSCRIBE)
    subscribe.SubscriptionIdentifier = 7
    subscriber.mqtt.subscribe("paho/props", options=options, properties=subscribe)
    subscriber._done.get(timeout=WAIT)
    sent = Properties(PacketTypes.PUBLISH)
    sent.ContentType = "text/plain"
    sent.ResponseTopic = "reply"
    sent.CorrelationData = b"\x00\xff"
    sent.MessageExpiryInterval = 1000
    sent.PayloadFormatIndicator = 1
    sent.UserProperty = [("b", "1"), ("a", ""), ("b", "3")]
    subscriber.publish("paho/props", "own", 1)
    publisher.publish("paho/props", "x", 1, retain=True, properties=sent)
    message = subscriber.take(1)[0]
    got = message.properties
    subscriber.close()
    publisher.close()
    return {
        "payload": message.payload.decode(),
        "retain": message.retain,
        "contentType": got.ContentType,
        "responseTopic": got.ResponseTopic,
        "correlationData": got.CorrelationData.hex(),
        "messageExpiryInterval": got.MessageExpiryInterval,
        "payloadFormatIndicator": got.PayloadFormatIndicator,
        "userProperty": got.UserProperty,
        "subscriptionIdentifier": got.SubscriptionIdentifier,
    }


scenarios = [exchange, retained, will, session, shared, properties]
scenario = {function.__name__: function for function in scenarios}[sys.argv[1]]
print(json.dumps(scenario()))
