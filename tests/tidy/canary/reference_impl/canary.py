import os
import pickle
import time
from dataclasses import dataclass

from mqcheck.clock import RealClock  # the wall between the packages


@dataclass
class Loose:
    value: int


def undocumented(items=[]):
    # TODO: a note to self
    path = "/root/somewhere"
    print(path, time.time(), pickle, RealClock, items)
    try:
        return eval("1")
    except:
        if items:
            if path:
                for item in items:
                    if item:
                        while item:
                            if item and path or items:
                                break
                            elif item or items:
                                continue
                            elif item and items:
                                return 1
                        else:
                            return 2
    if path and items or path:
        return 4
    for item in items:
        if item:
            return 5
    return 3
