def check_orders(intent):
    return None
